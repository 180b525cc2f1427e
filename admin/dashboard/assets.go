package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/style.css assets/app.js assets/icon.svg assets/vendor
var assets embed.FS

//go:embed templates
var templates embed.FS

// assetURL is where an asset is found below the path of the dashboard. The hash of its content is part of it, so that a browser may
// keep it for ever.
func assetURL(name string) (string, error) {
	content, err := fs.ReadFile(assets, "assets/"+name)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return "/assets/" + name + "?v=" + hex.EncodeToString(sum[:6]), nil
}

func serveAsset(w http.ResponseWriter, r *http.Request) {
	content, err := fs.ReadFile(assets, strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(content) // the browser may be gone, which is its own affair
}
