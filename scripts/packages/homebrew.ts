/**
 * A formula for Homebrew that installs the archives of a release. Pure.
 * @module
 */

/** An archive of a release. */
export interface Archive {
  /** Platform as in {@linkcode Platform}. */
  readonly platform: string;
  /** Name of its file. */
  readonly file: string;
  readonly sha256: string;
}

/** Homebrew's blocks for the platforms that it runs on. */
const BLOCKS: readonly (readonly [os: string, cpu: string, platform: string])[] = [
  ["macos", "arm", "darwin-arm64"],
  ["macos", "intel", "darwin-x64"],
  ["linux", "arm", "linux-arm64"],
  ["linux", "intel", "linux-x64"],
];

/** The formula; archives for other platforms are left out. `url` is where the archives are, without a slash behind. */
export function formula(
  { version, url, archives }: { readonly version: string; readonly url: string; readonly archives: readonly Archive[] },
): string {
  const systems = ["macos", "linux"].map((os) => {
    const blocks = BLOCKS.flatMap(([system, cpu, platform]) => {
      const archive = system === os ? archives.find((one) => one.platform === platform) : undefined;
      if (archive === undefined) return [];
      return `    on_${cpu} do\n      url ${quoted(`${url}/${archive.file}`)}\n      sha256 ${
        quoted(archive.sha256)
      }\n    end\n`;
    });
    return blocks.length === 0 ? "" : `  on_${os} do\n${blocks.join("\n")}  end\n\n`;
  });
  return `class Muster < Formula
  desc "Replicated SQLite database whose nodes find each other"
  homepage ${quoted(url)}
  version ${quoted(version)}
  license "MIT"

${systems.join("")}  def install
    bin.install "muster"
    man1.install "muster.1"
    bash_completion.install "completions/muster.bash" => "muster"
    zsh_completion.install "completions/_muster"
    fish_completion.install "completions/muster.fish"
  end

  service do
    run [opt_bin/"muster", "serve", var/"muster"]
    keep_alive crashed: true
    log_path var/"log/muster.log"
    error_log_path var/"log/muster.log"
  end

  test do
    assert_match "muster v#{version}", shell_output("#{bin}/muster version")
  end
end
`;
}

/** A string of Ruby in which nothing is replaced. */
function quoted(text: string): string {
  return `"${text.replaceAll(/["\\#]/g, "\\$&")}"`;
}
