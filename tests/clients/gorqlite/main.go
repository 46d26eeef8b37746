// Uses gorqlite as its documentation shows it: client LEADER FOLLOWER SECURED, each HOST:PORT; the last one wants the
// user mary with the password secret2. Fails at the first wrong value.
package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/rqlite/gorqlite"
	_ "github.com/rqlite/gorqlite/stdlib"
)

func must(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

func equal(value, expected interface{}) {
	if !reflect.DeepEqual(value, expected) {
		log.Output(2, fmt.Sprintf("%#v (%T) is not %#v (%T)", value, value, expected, expected))
		os.Exit(1)
	}
}

func open(url string) *gorqlite.Connection {
	conn, err := gorqlite.Open(url)
	must(err)
	return conn
}

// Opens a connection that sends everything to this node.
func openAt(address string) *gorqlite.Connection {
	return open("http://" + address + "/?disableClusterDiscovery=true")
}

func count(conn *gorqlite.Connection, table string) (n int64) {
	rows, err := conn.QueryOne("SELECT count(*) FROM " + table)
	must(err)
	equal(rows.Next(), true)
	must(rows.Scan(&n))
	return n
}

func writesAndReads(conn *gorqlite.Connection) {
	_, err := conn.WriteOne("CREATE TABLE secret_agents (id INTEGER PRIMARY KEY, hero_name TEXT, abbrev TEXT UNIQUE)")
	must(err)
	results, err := conn.Write([]string{
		"INSERT INTO secret_agents(id, hero_name, abbrev) VALUES (125718, 'Speed Gibson', 'Speed')",
		"INSERT INTO secret_agents(id, hero_name, abbrev) VALUES (209166, 'Clint Barlow', 'Clint')",
		"INSERT INTO secret_agents(id, hero_name, abbrev) VALUES (44107,  'Barney Dunlap', 'Barney')",
	})
	must(err)
	equal([]int64{results[0].RowsAffected, results[2].LastInsertID}, []int64{1, 44107})
	rows, err := conn.QueryOne("SELECT id, hero_name FROM secret_agents WHERE id > 50000 ORDER BY id")
	must(err)
	equal(rows.NumRows(), int64(2))
	equal(rows.Columns(), []string{"id", "hero_name"})
	equal(rows.Types(), []string{"integer", "text"})
	var id int64
	var name string
	equal(rows.Next(), true)
	must(rows.Scan(&id, &name))
	equal([]interface{}{id, name}, []interface{}{int64(125718), "Speed Gibson"})
	equal(rows.Next(), true)
	row, err := rows.Map()
	must(err)
	equal(row, map[string]interface{}{"id": float64(209166), "hero_name": "Clint Barlow"})
	equal(rows.Next(), false)
}

func parametersAndTypes(conn *gorqlite.Connection) {
	_, err := conn.WriteOne("CREATE TABLE kinds (i INTEGER, r REAL, t TEXT, n TEXT, d DATETIME, o BOOLEAN)")
	must(err)
	_, err = conn.WriteOneParameterized(gorqlite.ParameterizedStatement{
		Query:     "INSERT INTO kinds VALUES(?, ?, ?, ?, ?, ?)",
		Arguments: []interface{}{int64(9007199254740991), 1.5, "naïve 🙂 'q'", nil, "2026-11-29 01:02:03", true},
	})
	must(err)
	rows, err := conn.QueryOneParameterized(gorqlite.ParameterizedStatement{
		Query:     "SELECT i, r, t, n, d FROM kinds WHERE i > ?",
		Arguments: []interface{}{3},
	})
	must(err)
	equal(rows.Next(), true)
	var (
		integer int64
		real    float64
		text    string
		null    gorqlite.NullString
		date    time.Time
	)
	must(rows.Scan(&integer, &real, &text, &null, &date))
	equal([]interface{}{integer, real, text, null.Valid, date.UTC()}, []interface{}{
		int64(9007199254740991), 1.5, "naïve 🙂 'q'", false, time.Date(2026, 11, 29, 1, 2, 3, 0, time.UTC),
	})
	booleans, err := conn.QueryOne("SELECT o, typeof(o) FROM kinds")
	must(err)
	equal(booleans.Next(), true)
	row, err := booleans.Slice() // Scan() of this client takes no JSON boolean
	must(err)
	equal(row, []interface{}{true, "integer"})
	many, err := conn.WriteParameterized([]gorqlite.ParameterizedStatement{
		{Query: "INSERT INTO kinds(i, t) VALUES(?, ?)", Arguments: []interface{}{1, "one"}},
		{Query: "INSERT INTO kinds(i, t) VALUES(?, ?)", Arguments: []interface{}{2, "two"}},
	})
	must(err)
	equal(len(many), 2)
	found, err := conn.QueryParameterized([]gorqlite.ParameterizedStatement{
		{Query: "SELECT t FROM kinds WHERE i=?", Arguments: []interface{}{2}},
		{Query: "SELECT count(*) AS n FROM kinds"},
	})
	must(err)
	equal([]int64{found[0].NumRows(), found[1].NumRows()}, []int64{1, 1})
}

func transactions(conn *gorqlite.Connection) {
	before := count(conn, "secret_agents")
	statements := []string{
		"INSERT INTO secret_agents(id, abbrev) VALUES (1, 'one')",
		"INSERT INTO secret_agents(id, abbrev) VALUES (1, 'twice')",
	}
	_, err := conn.Write(statements) // a transaction unless told otherwise
	equal(err == nil, false)
	equal(count(conn, "secret_agents"), before)
	must(conn.SetExecutionWithTransaction(false))
	_, err = conn.Write(statements)
	equal(err == nil, false)
	equal(count(conn, "secret_agents"), before+1)
	must(conn.SetExecutionWithTransaction(true))
	mixed, err := conn.Request([]string{
		"INSERT INTO secret_agents(id, hero_name) VALUES (8, 'Felix')",
		"SELECT count(*) FROM secret_agents",
	})
	must(err)
	equal([]interface{}{mixed[0].Write.LastInsertID, mixed[1].Query.NumRows()}, []interface{}{int64(8), int64(1)})
}

func queued(conn *gorqlite.Connection) {
	before := count(conn, "kinds")
	first, err := conn.QueueOne("INSERT INTO kinds(i) VALUES (100)")
	must(err)
	second, err := conn.Queue([]string{"INSERT INTO kinds(i) VALUES (101)", "INSERT INTO kinds(i) VALUES (102)"})
	must(err)
	third, err := conn.QueueOneParameterized(gorqlite.ParameterizedStatement{
		Query: "INSERT INTO kinds(i) VALUES (?)", Arguments: []interface{}{103},
	})
	must(err)
	equal(first < second && second < third, true)
	for count(conn, "kinds") != before+4 {
		time.Sleep(10 * time.Millisecond)
	}
}

func levels(conn *gorqlite.Connection) {
	for _, level := range []string{"weak", "linearizable", "strong"} {
		wanted, err := gorqlite.ParseConsistencyLevel(level)
		must(err)
		must(conn.SetConsistencyLevel(wanted))
		equal(count(conn, "kinds"), int64(7))
	}
	must(conn.SetConsistencyLevel(gorqlite.ConsistencyLevelNone))
	rows, err := conn.QueryOne("SELECT abbrev FROM secret_agents WHERE id=125718")
	must(err)
	equal(rows.NumRows(), int64(1))
	must(conn.SetConsistencyLevel(gorqlite.ConsistencyLevelWeak))
}

func statementErrors(conn *gorqlite.Connection) {
	_, err := conn.WriteOne("INSERT INTO secret_agents(id, abbrev) VALUES (7, 'Speed')")
	var failed *gorqlite.StatementError
	equal(errors.As(err, &failed), true)
	equal(failed.Message, "UNIQUE constraint failed: secret_agents.abbrev")
	equal([]int{failed.SQLite.Code, failed.SQLite.ExtendedCode}, []int{19, 2067})
	_, err = conn.QueryOne("SELECT * FROM missing")
	equal(errors.As(err, &failed), true)
	equal([]interface{}{failed.Message, failed.SQLite.Code}, []interface{}{"no such table: missing", 1})
}

func clusterInfo(conn *gorqlite.Connection, leader string) {
	found, err := conn.Leader()
	must(err)
	equal(strings.Contains(found, leader), true)
	peers, err := conn.Peers()
	must(err)
	equal(len(peers), 3)
}

func driver(address string) {
	db, err := sql.Open("rqlite", "http://"+address)
	must(err)
	_, err = db.Exec("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
	must(err)
	inserted, err := db.Exec("INSERT INTO users(name) VALUES(?)", "fiona")
	must(err)
	id, err := inserted.LastInsertId()
	must(err)
	var name string
	must(db.QueryRow("SELECT name FROM users WHERE id=?", id).Scan(&name))
	equal(name, "fiona")
	_, err = db.Exec("INSERT INTO users(id) VALUES(1)")
	var failed *gorqlite.StatementError
	equal(errors.As(err, &failed), true)
	must(db.Close())
}

func users(address string) {
	conn := open("http://mary:secret2@" + address + "/?level=strong&timeout=30")
	_, err := conn.WriteOne("CREATE TABLE foo (a)")
	must(err)
	equal(count(conn, "foo"), int64(0))
	for _, stranger := range []string{"", "mary:wrong@"} {
		conn, err := gorqlite.Open("http://" + stranger + address + "/?disableClusterDiscovery=true")
		if err == nil {
			_, err = conn.QueryOne("SELECT 1")
		}
		equal(err != nil && strings.Contains(err.Error(), "401"), true)
	}
}

func main() {
	log.SetFlags(log.Lshortfile)
	leader, follower, secured := os.Args[1], os.Args[2], os.Args[3]
	discovering := open("http://" + follower + "/") // finds the others by itself
	atFollower := openAt(follower)
	writesAndReads(discovering)
	parametersAndTypes(atFollower)
	transactions(atFollower)
	queued(atFollower)
	levels(atFollower)
	statementErrors(atFollower)
	statementErrors(discovering)
	clusterInfo(discovering, leader)
	driver(follower)
	users(secured)
	fmt.Println("all as documented")
}
