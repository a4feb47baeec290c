// Command bench-go serves Cruddur's first four routes with net/http and a pgx pool.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofrs/uuid"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

var ttls = map[string]string{
	"30-days": "30 days", "7-days": "7 days", "3-days": "3 days", "1-day": "1 day",
	"12-hours": "12 hours", "3-hours": "3 hours", "1-hour": "1 hour",
}

type server struct {
	pool               *pgxpool.Pool
	home, show, create string
}

func load(name string) string {
	text, err := os.ReadFile(filepath.Join(os.Getenv("STATEMENTS"), name+".sql"))
	if err != nil {
		log.Fatal(err)
	}
	return string(text)
}

func passThrough(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func refuse(w http.ResponseWriter, status int, codes ...string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(codes)
}

func fail(w http.ResponseWriter, err error) {
	log.Print(err)
	refuse(w, http.StatusInternalServerError, "generic_500")
}

func health(w http.ResponseWriter, r *http.Request) {
	passThrough(w, []byte(`{"success":true,"ver":1}`))
}

func (s *server) getHome(w http.ResponseWriter, r *http.Request) {
	limit := 50
	values := r.URL.Query()
	if text := values.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > 200 {
			refuse(w, http.StatusUnprocessableEntity, "limit_invalid")
			return
		}
	}
	var created, after *string
	if key := strings.SplitN(values.Get("cursor"), "/", 2); len(key) == 2 {
		created, after = &key[0], &key[1]
	}
	var outcome string
	var body []byte
	var next *string
	var lives *int64
	var snapshot *string
	if err := s.pool.QueryRow(r.Context(), s.home, limit, created, after).Scan(&outcome, &body, &next, &lives, &snapshot); err != nil {
		fail(w, err)
		return
	}
	if next != nil {
		w.Header().Set("Link", fmt.Sprintf(`</api/activities/home?limit=%d&cursor=%s>; rel="next"`, limit, *next))
	}
	passThrough(w, body)
}

func (s *server) getActivity(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.FromString(strings.TrimPrefix(r.URL.Path, "/api/activities/"))
	if err != nil {
		refuse(w, http.StatusNotFound, "not_found")
		return
	}
	var outcome string
	var body []byte
	var next *string
	err = s.pool.QueryRow(r.Context(), s.show, id.String(), nil, nil, nil).Scan(&outcome, &body, &next)
	if errors.Is(err, pgx.ErrNoRows) {
		refuse(w, http.StatusNotFound, "not_found")
		return
	}
	if err != nil {
		fail(w, err)
		return
	}
	passThrough(w, body)
}

func (s *server) postActivity(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Message string `json:"message"`
		TTL     string `json:"ttl"`
		Handle  string `json:"user_handle"`
	}
	if r.Method != http.MethodPost {
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed")
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "body_not_json")
		return
	}
	var broken []string
	if in.Message == "" {
		broken = append(broken, "message_blank")
	} else if utf8.RuneCountInString(in.Message) > 280 {
		broken = append(broken, "message_exceed_max_chars")
	}
	if in.Handle == "" {
		broken = append(broken, "user_handle_blank")
	}
	ttl, known := ttls[in.TTL]
	if !known {
		broken = append(broken, "ttl_blank")
	}
	if broken != nil {
		refuse(w, http.StatusUnprocessableEntity, broken...)
		return
	}
	id, err := uuid.NewV4()
	if err != nil {
		fail(w, err)
		return
	}
	var outcome string
	var body []byte
	err = s.pool.QueryRow(r.Context(), s.create, id.String(), nil, in.Handle, in.Message, ttl).Scan(&outcome, &body, nil, nil)
	if err != nil {
		fail(w, err)
		return
	}
	if outcome != "ok" {
		refuse(w, http.StatusUnprocessableEntity, outcome)
		return
	}
	passThrough(w, body)
}

func main() {
	url, err := os.ReadFile(os.Getenv("CONNECTION_URL_FILE"))
	if err != nil {
		log.Fatal(err)
	}
	config, err := pgxpool.ParseConfig(strings.TrimSpace(string(url)))
	if err != nil {
		log.Fatal(err)
	}
	connections, err := strconv.Atoi(os.Getenv("CONNECTIONS"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = int32(connections)
	config.MinConns = int32(connections)
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{pool: pool, home: load("home"), show: load("show"), create: load("create")}
	http.HandleFunc("/api/health-check", health)
	http.HandleFunc("/api/activities/home", s.getHome)
	http.HandleFunc("/api/activities/", s.getActivity)
	http.HandleFunc("/api/activities", s.postActivity)
	listener, err := net.Listen("unix", os.Getenv("SOCKET"))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, nil))
}
