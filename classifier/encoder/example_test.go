package encoder_test

import (
	"context"
	"fmt"

	"github.com/adjutant-dev/adjutant/classifier/encoder"
)

func ExampleEncoder_Logits() {
	for _, ask := range []string{
		"Rename these files to kebab-case: MyReport.pdf, Q3 Numbers.xlsx",
		"Write a function that merges two sorted linked lists, with tests.",
		"Two of our services deadlock under load once a week. Where would you look first, and what would you change?",
	} {
		logits, err := encoder.Default().Logits(context.Background(), ask)
		if err != nil {
			panic(err)
		}
		// All digits: every machine and every kernel gives the same.
		fmt.Println("repetition, making, judgment:", logits)
	}
	// Output:
	// repetition, making, judgment: [3.1310408 -1.7303979 -1.8163072]
	// repetition, making, judgment: [-1.1608727 1.9782959 -1.756313]
	// repetition, making, judgment: [-1.443589 -1.5843035 3.8270602]
}
