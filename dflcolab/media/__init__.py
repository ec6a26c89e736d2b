"""Videos, pictures and sound: bytes in, frames with exact times out, and the way back."""
