package api

import (
	"encoding/base64"
	"net/http"
	"reflect"
	"time"

	"github.com/letterhook/letterhook/admin/problem"
)

var problemType = reflect.TypeFor[problem.Problem]()

// Page is a part of a list.
type Page[T any] struct {
	Items []T `json:"items" nullable:"false"`
	// NextCursor is empty on the last page.
	NextCursor string `json:"next_cursor,omitempty" doc:"Send it as cursor to get the page behind this one. It is left out on the last one."`
}

// PageQuery says which part of a list is wanted.
type PageQuery struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"Items of a page, at most."`
	Cursor string `query:"cursor" maxLength:"400" doc:"next_cursor of the page before; left out: the first page."`
}

// after is what the cursor was made of; empty: the beginning.
func (q *PageQuery) after() (string, error) {
	text, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err != nil {
		return "", problem.New(http.StatusUnprocessableEntity, "The cursor is none of ours.", fault("query.cursor", "is not a next_cursor"))
	}
	return string(text), nil
}

// page makes a page of a list that was asked for with one item more than fits, which tells whether there is more.
func page[T, U any](list []T, limit int, show func(T) U, key func(T) string) *pageOutput[U] {
	p := Page[U]{Items: []U{}}
	for i, item := range list {
		if i == limit {
			p.NextCursor = base64.RawURLEncoding.EncodeToString([]byte(key(list[i-1])))
			break
		}
		p.Items = append(p.Items, show(item))
	}
	return &pageOutput[U]{Body: p}
}

type pageOutput[T any] struct{ Body Page[T] }

// output is an answer with a body and nothing else.
type output[T any] struct{ Body T }

// List is a list that is always whole.
type List[T any] struct {
	Items []T `json:"items" nullable:"false"`
}

type noInput struct{}

// optionalTime is a time that may be none.
func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
