"""Parts of PCMCI and PCMCI+: arguments, lagged parents, skeleton, orientation, tests."""
