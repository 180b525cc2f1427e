// Command document writes the description of the API as OpenAPI 3.0.3, which generators of clients read.
package main

import (
	"os"

	"github.com/letterhook/letterhook/admin/api"
)

func main() {
	text, err := api.Document()
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		panic(err)
	}
}
