/**
 * A small file system in memory that can be filled up. Needs root.
 * @module
 */

const CHUNK_BYTES = 256 * 1024;

/** A mounted file system. */
export class SmallDisk {
  /** The path that it is mounted at. */
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Mounts one at a new directory.
   * @throws {Error} When that is not permitted here.
   */
  static async mount(path: string, sizeMb: number): Promise<SmallDisk> {
    await Deno.mkdir(path);
    await command("mount", "-t", "tmpfs", "-o", `size=${sizeMb}m`, "tmpfs", path);
    return new SmallDisk(path);
  }

  get #filler(): string {
    return `${this.path}/filler`;
  }

  /** Leaves no byte. */
  fill(): void {
    const file = Deno.openSync(this.#filler, { create: true, append: true });
    const chunk = new Uint8Array(CHUNK_BYTES);
    try {
      for (;;) file.writeSync(chunk);
    } catch (error) {
      if (!/No space left/.test(String(error))) throw error;
    } finally {
      file.close();
    }
  }

  /** Gives back what {@linkcode fill} took. */
  async free(): Promise<void> {
    await Deno.remove(this.#filler).catch(() => {}); // it was not full
  }

  /** Unmounts it. */
  async close(): Promise<void> {
    await command("umount", "-l", this.path);
  }
}

async function command(name: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(name, { args: [...args], stdin: "null" }).output();
  if (!success) throw new Error(`${name} ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
