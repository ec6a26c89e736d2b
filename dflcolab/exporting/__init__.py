"""Trained models for other programs: DeepFaceLab's folders both ways, ONNX, DFM, Keras files."""
