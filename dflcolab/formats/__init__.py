"""DeepFaceLab's files: bytes in, values out. Nothing here runs code found in a file."""
