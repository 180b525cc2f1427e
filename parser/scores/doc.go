// Package scores holds the parser against mail that others collected, with what they say is in it. It has tests only:
// `make scores` prints one line for each set and field, and fails where agreement or the number of rows compared falls below
// what is recorded beside the comparison. CORPUS names the folder of a whole corpus; without it the sets that may be passed on are
// read from ../testdata/corpus.
package scores
