//go:build !amd64

package encoder

var hasAVX2 = false

const noAVX2 = "encoder: AVX2 on another architecture"

func productAVX2(*float32, int, *int16, int, *byte, int, *[tileRows]float32, *[tileColumns]float32, *[tileColumns]float32, *[tileRows]int32, *[tileColumns]int32) {
	panic(noAVX2)
}

func roundFourAVX2(*byte, *[tileColumns]int32, *float32, int, *[tileColumns]float32) { panic(noAVX2) }

func crossAVX2(*int16, int) int32                         { panic(noAVX2) }
func largestAVX2(*float32, int) float32                   { panic(noAVX2) }
func widenAVX2(*float32, *float32, int)                   { panic(noAVX2) }
func roundAVX2(*int16, *float32, int, float32)            { panic(noAVX2) }
func addAVX2(*float32, *float32, *float32, *float32, int) { panic(noAVX2) }
func softmaxAVX2(*int16, *float32, int) int32             { panic(noAVX2) }
func geluAVX2(*float32, int)                              { panic(noAVX2) }
