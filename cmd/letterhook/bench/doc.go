// Package bench loads a server over real SMTP, receives its webhooks, and says what came through: how many messages
// were accepted and delivered a second, how long the acknowledgement and the whole way took, what was lost and what came
// twice. The crash tests use the same senders and the same receiver.
package bench
