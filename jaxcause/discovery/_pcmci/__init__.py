"""Parts of PCMCI and PCMCI+."""
