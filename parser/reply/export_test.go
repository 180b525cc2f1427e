package reply

// Token is what a scanner finds.
type Token struct {
	Kind       string
	Raw, Name  string
	Attributes [][2]string
}

// Scan cuts an HTML document into tokens.
func Scan(document string) []Token {
	var list []Token
	s := scanner{source: document}
	for {
		start := s.at
		kind := s.next()
		if kind == pieceNone {
			return list
		}
		t := Token{Kind: [...]string{"", "text", "start", "end", "other"}[kind], Raw: document[start:s.at]}
		if kind == pieceStart || kind == pieceEnd {
			t.Name = string(appendLower(nil, s.name))
		}
		for _, a := range s.attributes[:s.count] {
			if kind == pieceStart {
				t.Attributes = append(t.Attributes, [2]string{string(appendLower(nil, a.name)), a.value})
			}
		}
		list = append(list, t)
	}
}

// MostAttributes of a tag are looked at.
const MostAttributes = mostAttributes
