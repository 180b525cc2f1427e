// Package dashboard is what people see of the server in a browser: is mail getting in, is it getting out, what became of the mail
// from X, and what to press.
//
// The promises of this room: no text of a mail runs as script or makes a request, on any page. All of it passes through
// html/template; the HTML of a mail is shown alone, in a frame without scripts, forms and network, made of allowed elements and
// attributes only. Nobody sees what is not his account's. Nothing is changed by a request that another site makes.
// The pages work without JavaScript, save for live updates and plots.
package dashboard
