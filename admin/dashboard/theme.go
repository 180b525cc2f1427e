package dashboard

import (
	"net/http"
	"strings"
	"time"
)

const themeCookie = "letterhook_theme"

// themeOf is the theme that the browser was told to keep.
func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// setTheme has the browser keep a theme and goes back to where it was asked for.
func (d *dashboard) setTheme(w http.ResponseWriter, r *http.Request) {
	c := &http.Cookie{
		Name: themeCookie, Value: r.FormValue("theme"), Path: d.Path + "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
		HttpOnly: true, Secure: d.Secure, SameSite: http.SameSiteLaxMode,
	}
	if c.Value != "light" && c.Value != "dark" {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(w, c)
	http.Redirect(w, r, d.Path+localPath(r.FormValue("back")), http.StatusSeeOther)
}

// localPath is a path of the dashboard, and / where the text is none: nobody is sent elsewhere.
func localPath(text string) string {
	if !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") || strings.ContainsAny(text, "\\\r\n\t") {
		return "/"
	}
	return text
}
