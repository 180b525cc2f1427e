package dashboard

import (
	"fmt"
	"slices"
	"strings"
)

// The box that sparks are drawn in; the page stretches it.
const (
	sparkWidth  = 120
	sparkHeight = 32
)

// spark is the course of a number as the path of an SVG, with and without the area below.
type spark struct{ Line, Area string }

// sparkOf draws numbers from the oldest to the newest. Fewer than two have no course.
func sparkOf(values []int64) spark {
	if len(values) < 2 {
		return spark{}
	}
	top := max(slices.Max(values), 1)
	var b strings.Builder
	for i, v := range values {
		x := float64(i) * sparkWidth / float64(len(values)-1)
		y := sparkHeight - 1 - float64(v)/float64(top)*(sparkHeight-2)
		fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(i, 1)], x, y)
	}
	line := b.String()
	return spark{Line: line, Area: fmt.Sprintf("%sL%d %dL0 %dZ", line, sparkWidth, sparkHeight, sparkHeight)}
}
