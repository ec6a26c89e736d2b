# pyright: strict
"""The plain note in a picture that says how it came to be (IPTC Digital Source Type, as XMP).

It survives programs that know nothing of signatures, and anybody can read it; it proves nothing.
"""

from __future__ import annotations

import zlib

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for a composite with elements made by a trained model."""

_PNG_HEAD = b"\x89PNG\r\n\x1a\n"
_PNG_KEYWORD = b"XML:com.adobe.xmp"
_JPEG_NAMESPACE = b"http://ns.adobe.com/xap/1.0/\0"
_PACKET = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPE}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>""".encode()


def with_source_type(data: bytes) -> bytes:
    """A PNG or JPEG with the note added; other files, and pictures that have XMP, as they are."""
    if data.startswith(_PNG_HEAD) and _PNG_KEYWORD not in data[:65536]:
        end = 8 + 8 + int.from_bytes(data[8:12], "big") + 4  # behind the header chunk
        body = _PNG_KEYWORD + b"\0\0\0\0\0" + _PACKET
        chunk = b"iTXt" + body
        check = zlib.crc32(chunk).to_bytes(4, "big")
        return data[:end] + len(body).to_bytes(4, "big") + chunk + check + data[end:]
    if data.startswith(b"\xff\xd8") and _JPEG_NAMESPACE not in data[:65536]:
        end = 2
        if data[2:4] == b"\xff\xe0":  # JFIF has to come first
            end += 2 + int.from_bytes(data[4:6], "big")
        body = _JPEG_NAMESPACE + _PACKET
        segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
        return data[:end] + segment + data[end:]
    return data
