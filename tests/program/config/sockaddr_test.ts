/** Templates that find addresses (C3.12). */
import { assertEquals, assertThrows } from "@std/assert";
import { expandTemplate, TemplateError } from "../../../src/program/config/sockaddr.ts";

const of = (name: string, cidr: string) => ({ name, address: cidr.split("/")[0], cidr });
const LO = [of("lo", "127.0.0.1/8"), of("lo", "::1/128")];
const MACHINE = [
  ...LO,
  of("eth0", "10.1.2.3/24"),
  of("eth0", "2a02:db8:9::1/64"),
  of("eth0", "fe80::1/64"),
  of("eth1", "8.8.4.4/22"),
  of("docker0", "172.17.0.1/16"),
];

Deno.test("functions for one address take the interface or the kind of the address", () => {
  const cases: [string, string][] = [
    ['{{ GetInterfaceIP "eth0" }}', "10.1.2.3"],
    ["{{GetInterfaceIP `^eth1$`}}", "8.8.4.4"],
    ['{{ GetInterfaceIP "eth9" }}', ""],
    ['{{ GetInterfaceIPs "eth0" }}', "10.1.2.3 2a02:db8:9::1 fe80::1"],
    ["{{- GetPrivateIPs -}}", "172.17.0.1 10.1.2.3"],
    ["{{ GetPublicIPs }}", "8.8.4.4 2a02:db8:9::1"],
    ['[{{ GetInterfaceIP "eth1" }}]:8301 x', "[8.8.4.4]:8301 x"],
    ["10.0.0.1", "10.0.0.1"],
  ];
  for (const [text, expected] of cases) assertEquals(expandTemplate(text, MACHINE), expected, text);
  const small = [...LO, of("eth0", "192.168.0.5/24"), of("eth0", "203.0.114.9/24")];
  assertEquals(expandTemplate("{{ GetPrivateIP }} {{ GetPublicIP }}", small), "192.168.0.5 203.0.114.9");
  assertEquals(expandTemplate("{{ GetPrivateIP }}", LO), "");
});

Deno.test("pipelines select, sort, cut and tell addresses", () => {
  const cases: [string, string][] = [
    ['GetAllInterfaces | include "network" "10.0.0.0/8" | attr "address"', "10.1.2.3"],
    ['GetAllInterfaces | include "network" "10.0.0.0/8|8.0.0.0/8" | join "name" ","', "eth0,eth1"],
    ['GetPrivateInterfaces | exclude "name" "docker.*" | attr "address"', "10.1.2.3"],
    ['GetPrivateInterfaces | sort "-size" | limit 1 | join "address" " "', "10.1.2.3"],
    [
      'GetAllInterfaces | include "name" "eth0" | include "type" "IPv6" | include "flags" "forwardable" | attr "address"',
      "2a02:db8:9::1",
    ],
    [
      'GetAllInterfaces | include "flags" "forwardable|up" | exclude "rfc" "6890" | include "type" "IPv4" | attr "network"',
      "8.8.4.0/22",
    ],
    ['GetAllInterfaces | include "flag" "loopback" | sort "-type,address" | join "address" " "', "::1 127.0.0.1"],
    ['GetAllInterfaces | include "type" "ipv4" | sort "address" | offset -1 | attr "address"', "172.17.0.1"],
    ['GetAllInterfaces | sort "name,type" | unique "name" | join "name" " "', "docker0 eth0 eth1 lo"],
    ['GetAllInterfaces | include "address" "^8" | attr "string"', "8.8.4.4/22"],
    ['GetAllInterfaces | include "size" "16" | attr "mask_bits"', "16"],
    ['GetAllInterfaces | include "name" "none" | attr "address"', ""],
  ];
  for (const [text, expected] of cases) assertEquals(expandTemplate(`{{ ${text} }}`, MACHINE), expected, text);
});

Deno.test("what is not known is refused by its name, and no address is guessed", () => {
  const cases: [string, RegExp][] = [
    ["{{ GetPrivateIP }}", /interfaces docker0 and eth0: the default route is not known/],
    ['{{ GetPrivateInterfaces | sort "default" | attr "address" }}', /default route is not known/],
    ["{{ GetDefaultInterfaces }}", /GetDefaultInterfaces/],
    ["{{ GetSomething }}", /"GetSomething"/],
    ['{{ GetAllInterfaces | math "network" "+1" }}', /"math"/],
    ['{{ GetAllInterfaces | include "flags" "down" }}', /the flag "down"/],
    ['{{ GetAllInterfaces | include "port" "1" }}', /"port"/],
    ['{{ GetAllInterfaces | include "rfc" "1" }}', /RFC 1/],
    ['{{ GetAllInterfaces | sort "port" }}', /"port"/],
    ['{{ GetAllInterfaces | attr "hex" }}', /"hex"/],
    ["{{ GetAllInterfaces | limit }}", /takes 1 argument\(s\), not 0/],
    ["{{ GetAllInterfaces | limit x }}", /expected a number/],
    ["{{ GetInterfaceIP }}", /takes 1 argument\(s\), not 0/],
    ['{{ GetInterfaceIP "(" }}', /regular expression/],
    ["{{ GetPrivateIPs | limit 1 }}", /on a text/],
    ["{{ GetAllInterfaces }}", /ends in a list/],
    ["{{ }}", /a function is missing/],
    ["{{ GetPrivateIP | }}", /a function is missing/],
    ["{{ (GetPrivateIP) }}", /Cannot read "\(GetPrivateIP\)"/],
    ["{{ GetPrivateIP", /a brace is missing/],
  ];
  for (const [text, expected] of cases) {
    const error = assertThrows(() => expandTemplate(text, MACHINE), TemplateError, undefined, text);
    assertEquals(expected.test(error.message), true, error.message);
  }
});
