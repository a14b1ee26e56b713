//go:build !amd64

package encoder

var hasAVX2 = false

func dotAVX2(*[tileRows * tileColumns]int32, *int16, int, *byte, int) {
	panic("encoder: AVX2 on another architecture")
}
