"""Operations on pictures that know nothing of faces: color transfer, filters, masks."""
