package dashboard

import (
	"testing"

	"github.com/letterhook/letterhook/storage"
)

// TestSuppressionOfARefusal: the page of a refusal looks for what refused it by the domain, of the sender or the recipient, whatever stands
// before it.
func TestSuppressionOfARefusal(t *testing.T) {
	for want, r := range map[string]storage.Refusal{
		"@spam.example": {Sender: "ann@spam.example", Recipient: "a@zen.example", RefusalDetail: storage.RefusalDetail{Reply: "5.7.1 This sender is not wanted here"}},
		"@zen.example":  {Sender: "ann@spam.example", Recipient: "a@zen.example", RefusalDetail: storage.RefusalDetail{Reply: "5.2.1 This recipient takes no mail"}},
		"@bulk.example": {Sender: `"a@b"@bulk.example`, Recipient: "a@zen.example", RefusalDetail: storage.RefusalDetail{Reply: "5.7.1 This sender is not wanted here"}},
	} {
		row := refusalRow{Refusal: r}
		if got := row.Suppression(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
