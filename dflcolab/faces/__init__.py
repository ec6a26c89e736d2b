"""The vocabulary of faces: types, landmarks, alignment, masks, pose, the face record. NumPy and OpenCV only."""
