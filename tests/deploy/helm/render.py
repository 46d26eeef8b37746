"""Lints and renders a chart with Helm's own engine.

Reads [[name of the release, values], ...] from standard input and prints {"lint": report, "rendered": [text or error]}.
"""

import json
import sys

import helm_python as helm

path = sys.argv[1]
rendered = []
for name, values in json.load(sys.stdin):
    with helm.Chart.load(path) as chart:
        try:
            chart.validate_schema(values)
            files = chart.render(values, name=name, namespace="default")
        except helm.HelmError as error:
            rendered.append({"error": str(error)})
            continue
    manifests = [files[file] for file in sorted(files) if file.endswith(".yaml")]
    rendered.append({"text": "\n---\n".join(manifests), "notes": files.get("muster/templates/NOTES.txt", "")})
print(json.dumps({"lint": helm.lint(path, {}, strict=True), "rendered": rendered}))
