"""The room of pixels, waveforms and pages: the only one that touches codecs, numpy and fonts."""
