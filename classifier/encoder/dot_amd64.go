package encoder

import "golang.org/x/sys/cpu"

// hasAVX2 is a variable so that tests can run both ways.
var hasAVX2 = cpu.X86.HasAVX2

// dotAVX2 is dot for pairs ≥ 1; stride is in bytes.
//
//go:noescape
func dotAVX2(dst *[tileRows * tileColumns]int32, a *int16, stride int, w *byte, pairs int)
