// Command protoimports writes the foreign .proto files that Adjutant's
// contract imports into a directory, so that buf finds them without a registry
// and the repository holds no copies of them:
//
//	go -C tools run ./protoimports ../.protoimports
//
// The sources are printed from the descriptors that the Go modules pinned in
// tools/go.mod register. They lack the comments of the originals and are
// otherwise the same. The google/protobuf files are left out: buf brings them.
//
// To import another foreign file in proto/, add the Go package generated from
// it to the blank imports below.
package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/jhump/protoreflect/v2/protoprint"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // google/rpc/error_details.proto
	_ "google.golang.org/genproto/googleapis/rpc/status"     // google/rpc/status.proto
	_ "google.golang.org/genproto/googleapis/type/money"     // google/type/money.proto
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: protoimports DIRECTORY")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "protoimports:", err)
		os.Exit(1)
	}
}

// write prints every registered file that buf does not bring itself into dir.
func write(dir string) error {
	var files []protoreflect.FileDescriptor
	for file := range protoregistry.GlobalFiles.RangeFiles {
		if !strings.HasPrefix(file.Path(), "google/protobuf/") {
			files = append(files, file)
		}
	}
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int {
		return cmp.Compare(a.Path(), b.Path())
	})
	var printer protoprint.Printer
	return printer.PrintProtosToFileSystem(files, dir)
}
