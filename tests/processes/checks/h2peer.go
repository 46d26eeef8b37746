// A health service of gRPC over Go's HTTP/2, with TLS and without: prints the port of each. It needs no module.
//
//	h2peer CERT KEY
package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func check(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	// Every character that a header may have, so that the whole code of the compression is used.
	all := ""
	for c := ' '; c <= '~'; c++ {
		all += string(c)
	}
	w.Header().Set("X-All", all)
	w.WriteHeader(http.StatusOK)
	if r.URL.Path != "/grpc.health.v1.Health/Check" || r.Header.Get("Te") != "trailers" {
		w.Header().Set("Grpc-Status", "12")
		return
	}
	switch {
	case len(body) == 5:
		w.Write([]byte{0, 0, 0, 0, 2, 8, 1})
		w.Header().Set("Grpc-Status", "0")
	case string(body[7:]) == "down":
		w.Write([]byte{0, 0, 0, 0, 2, 8, 2})
		w.Header().Set("Grpc-Status", "0")
	default:
		w.Header().Set("Grpc-Status", "5")
		w.Header().Set("Grpc-Message", "unknown service")
	}
}

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	return listener
}

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	if err != nil {
		panic(err)
	}
	var protocols http.Protocols
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	plain := &http.Server{Handler: http.HandlerFunc(check), Protocols: &protocols}
	go plain.Serve(listen())
	secure := &http.Server{
		Handler:   http.HandlerFunc(check),
		Protocols: &protocols,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
	}
	panic(secure.ServeTLS(listen(), "", ""))
}
