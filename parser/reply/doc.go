// Package reply finds in a mail what its author wrote: it takes quoted mails, the lines above them, signatures, disclaimers
// and forwarded mails off, from the text with [Split] and from the html with [CutHTML]. It imports nothing of the house and
// can be imported alone.
//
// The promise of this room: nothing is lost. The texts of the segments joined are the text that was given, byte for byte, and
// a reply is never empty where the author wrote something. Where the rules are not sure they keep what they see, and say so
// in the confidence.
//
// No standard says how a reply is written, so the rules are about how mail programs write: a line above a quote holds a
// date, an address or a verb of saying, a header block names From, Date and Subject in the language of the program, and a
// quote begins with ">". What the programs say is data: attribution_words.go, header_words.go, marker_words.go,
// signature_words.go, disclaimer_words.go and html_clients.go are tables by language or program, and a new program
// is a new row. The way of a text through the files: line.go cuts it into lines; attribution.go with evidence.go, header.go and marker.go
// recognise what announces another's words; signature.go and disclaimer.go what ends the author's own; document.go decides;
// html.go, with scanner.go, page.go, element.go and linetext.go, does the same for a document of HTML, through the lines that its reader
// sees.
//
// All work is linear in the text: a line is looked at together with a fixed number of its neighbours. Texts of more than
// 50,000 lines are not judged.
package reply
