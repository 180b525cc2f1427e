package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Document describes all operations as OpenAPI 3.0.3, for generators that read nothing newer; what the server serves is 3.1. It names no
// version of the program, so that it changes with the operations alone.
func Document() ([]byte, error) {
	s := &service{}
	s.api = humago.NewWithPrefix(http.NewServeMux(), Prefix, s.config())
	s.registerAll()
	text, err := s.api.OpenAPI().Downgrade()
	if err != nil {
		return nil, fmt.Errorf("writing the document as OpenAPI 3.0.3: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, withoutUnused(text), "", " "); err != nil {
		return nil, fmt.Errorf("indenting the document: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// document is the description of all operations as it is served.
func (s *service) document() []byte { return withoutUnused(written(s.api.OpenAPI())) }

func written(d *huma.OpenAPI) []byte {
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // it is made of what the program itself says
	}
	return text
}

// withoutUnused leaves out the schemas that only others are made from.
func withoutUnused(text []byte) []byte {
	for {
		var whole map[string]any
		if err := json.Unmarshal(text, &whole); err != nil {
			panic(err)
		}
		schemas := whole["components"].(map[string]any)["schemas"].(map[string]any)
		used := len(schemas)
		for name := range schemas {
			if !bytes.Contains(text, []byte(`"#/components/schemas/`+name+`"`)) {
				delete(schemas, name)
			}
		}
		var err error
		if text, err = json.Marshal(whole); err != nil {
			panic(err)
		}
		if len(schemas) == used {
			return text
		}
	}
}
