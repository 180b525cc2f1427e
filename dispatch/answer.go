package dispatch

import (
	"encoding/json"
	"mime"
	"strings"
)

// answerText is what a receiver wants a peer to read: the first line of an answer in text/plain, or the member "message" of an
// object in application/json. Anything else, such as the page of some server in between, is not meant for the peer: it gives
// "". The text is one line; how it goes over the wire is the session's matter.
func answerText(res *Result) string {
	media, _, err := mime.ParseMediaType(res.Detail.Header["Content-Type"])
	if err != nil {
		return ""
	}
	text := ""
	switch media {
	case "text/plain":
		text = res.Detail.Body
	case "application/json":
		var answer struct {
			Message string `json:"message"`
		}
		if json.Unmarshal([]byte(res.Detail.Body), &answer) != nil {
			return ""
		}
		text = answer.Message
	}
	return firstLine(text)
}

// maxAnswerText is how much of an answer's text is kept for a peer, in octets: no more goes into a reply.
const maxAnswerText = 400

// firstLine is the first line that holds anything, cut to maxAnswerText.
func firstLine(text string) string {
	text = strings.TrimSpace(text)
	if end := strings.IndexAny(text, "\r\n"); end >= 0 {
		text = text[:end]
	}
	return strings.Clone(clip(strings.TrimSpace(text), maxAnswerText)) // or the whole answer stays in memory with it
}
