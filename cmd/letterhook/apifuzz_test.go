package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// generator makes requests of a document: mostly as it describes them, now and then not.
type generator struct {
	*rand.Rand

	document map[string]any
	words    []string // that mean something to the server
}

// odd are texts that have hurt others.
var odd = []string{
	"", " ", "0", "-1", "null", "true", "../../etc/passwd", "*", "*.example", "a@b@c", "\x00", "\u202e", "😀", "ß", "%00", "%", "'", "\"", "<script>", "${HOME}", "/(/", "/a{1000}/",
	"9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00Z", "2036-01-01T00:00:00Z", "2036-02-30", "1e400", "http://[::1", "https://x.example:99999/", "http://169.254.169.254/", "200000000h", "1d", "18446744073709551616",
	"reply+*", "a+b+c@zen.example", "postmaster", strings.Repeat("x", 5000), "1/0s", "0/1s", "100/1m", "xn--", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
}

func (g *generator) text() string {
	if g.IntN(3) > 0 {
		return g.words[g.IntN(len(g.words))]
	}
	return odd[g.IntN(len(odd))]
}

// value makes one of a schema.
func (g *generator) value(schema map[string]any, depth int) any {
	if ref, ok := schema["$ref"].(string); ok {
		schema = g.document
		for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			schema, _ = schema[name].(map[string]any)
		}
	}
	if depth > 6 || g.IntN(25) == 0 {
		return g.wrong()
	}
	if enum, ok := schema["enum"].([]any); ok && g.IntN(8) > 0 {
		return enum[g.IntN(len(enum))]
	}
	kind, _ := schema["type"].(string)
	if kinds, ok := schema["type"].([]any); ok {
		kind, _ = kinds[g.IntN(len(kinds))].(string)
	}
	switch kind {
	case "null":
		return nil
	case "boolean":
		return g.IntN(2) == 0
	case "integer", "number":
		low, _ := schema["minimum"].(float64)
		high, ok := schema["maximum"].(float64)
		if !ok {
			high = 1 << 53
		}
		return []any{low, high, low - 1, high + 1, float64(g.IntN(1000)), 0, -1, json.Number("1e400")}[g.IntN(8)]
	case "array":
		items, _ := schema["items"].(map[string]any)
		list := []any{}
		for range g.IntN(4) {
			list = append(list, g.value(items, depth+1))
		}
		return list
	case "object":
		return g.object(schema, depth)
	default:
		return g.text()
	}
}

func (g *generator) object(schema map[string]any, depth int) any {
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	made := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		property, _ := properties[name].(map[string]any)
		needed := slices.Contains(required, any(name))
		if needed && g.IntN(20) > 0 || !needed && g.IntN(4) == 0 {
			made[name] = g.value(property, depth+1)
		}
	}
	if more, ok := schema["additionalProperties"].(map[string]any); ok {
		for range g.IntN(3) {
			made[g.text()] = g.value(more, depth+1)
		}
	} else if g.IntN(30) == 0 {
		made[g.text()] = g.wrong()
	}
	return made
}

// wrong is a value of any type.
func (g *generator) wrong() any {
	return []any{nil, true, -1, 3.5, g.text(), []any{}, []any{nil}, map[string]any{}, map[string]any{"a": map[string]any{"a": nil}}}[g.IntN(9)]
}

// request makes one of an operation.
func (g *generator) request(d *describedOperation) (path string, body any, header []string) {
	path = d.path
	query := url.Values{}
	parameters, _ := d.operation["parameters"].([]any)
	for _, p := range parameters {
		parameter, _ := p.(map[string]any)
		name, _ := parameter["name"].(string)
		schema, _ := parameter["schema"].(map[string]any)
		value := g.value(schema, 5)
		text := fmt.Sprint(value)
		switch parameter["in"] {
		case "path":
			if text == "" || text == "." || text == ".." {
				text = "x"
			}
			path = strings.ReplaceAll(path, "{"+name+"}", escape(text))
		case "query":
			if g.IntN(3) == 0 || parameter["required"] == true {
				query.Set(name, text)
			}
		case "header":
			if g.IntN(4) == 0 {
				header = append(header, name, strconv.Quote(text))
			}
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	if content, ok := d.operation["requestBody"].(map[string]any); ok {
		types, _ := content["content"].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(types)) {
			media, _ := types[name].(map[string]any)
			schema, _ := media["schema"].(map[string]any)
			body = g.value(schema, 0)
		}
		if g.IntN(40) == 0 {
			body = odd[g.IntN(len(odd))] // no JSON
		}
	}
	return path, body, header
}

// TestGeneratedRequests makes requests of the document, the same ones each time, and holds every answer against it. None may be trouble of
// the server. LETTERHOOK_SEED makes others, LETTERHOOK_REQUESTS more for each operation.
func TestGeneratedRequests(t *testing.T) {
	f := newFixture(t)
	whole, operations := f.document(t)
	c := newContract(t, whole)
	g := &generator{document: whole, words: []string{
		"zenapp", "zen.example", "support", "https://app.example/hook", "15s", "native", "read", "declared", "declared.example.com", "acme", "human", "ann@declared.example.com",
		"192.0.2.0/24", "spam.example", "2026-11-25T08:00:00Z", "2026-11-25", "reply", "all", f.accounts["acme"], "news-*", "/o-(?P<n>.*)/",
	}}
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		g.words = append(g.words, f.values[name])
	}
	number := func(name string, otherwise uint64) uint64 {
		if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
			return n
		}
		return otherwise
	}
	g.Rand = rand.New(rand.NewPCG(number("LETTERHOOK_SEED", 1), 2))
	statuses := map[int]int{}
	for range number("LETTERHOOK_REQUESTS", 30) {
		for i := range operations {
			d := &operations[i]
			if d.id == "check-domain-dns" {
				continue // it waits for DNS, and the contract has it
			}
			if d.id == "stream-events" || d.id == "listen" {
				continue // it has no end
			}
			path, body, header := g.request(d)
			key := []string{"", "zenith", "acme"}[g.IntN(3)]
			a := f.ask(t, f.standing(t, key), d.method, path, body, header...)
			statuses[a.status]++
			if a.status >= 500 {
				text, err := json.Marshal(body)
				t.Errorf("%s %s %s %v %q: %d %s", d.method, path, text, err, header, a.status, a.text)
			}
			// A path that was not escaped to what it was is another operation's.
			if why := c.broken(d, &a); why != "" && a.status != 404 && a.status != 405 && a.status/100 != 3 {
				t.Errorf("%s %s: %d %s: %s", d.method, path, a.status, a.text, why)
			}
		}
	}
	t.Log(statuses)
	if statuses[200] < 100 || statuses[201] < 10 || statuses[422] < 100 {
		t.Errorf("the requests do not reach much: %v", statuses)
	}
	f.do(t, f.standing(t, ""), "PATCH", "/levers", map[string]any{"drain": false, "defer": false})
	if got := recipient(t, f.serving, "ann@declared.example.com"); !strings.HasPrefix(got, "250 ") {
		t.Errorf("the server does not serve as before: %s", got)
	}
}

// standing is a key of an account that no request ends.
func (f *fixture) standing(t *testing.T, account string) string {
	if f.keys == nil {
		f.keys = map[string]string{}
	}
	if f.keys[account] == "" {
		f.keys[account] = f.key(t, account)
	}
	return f.keys[account]
}
