/**
 * How the tools take their command lines: `--help` shows the usage, wrong usage is said together with it.
 * @module
 */

/** Wrong usage: exit code 2. */
export class UsageError extends Error {}

/**
 * Reads options.
 * @param read Throws a {@linkcode UsageError} for arguments that make no sense.
 * @returns The options, or the exit code where the usage was shown instead.
 */
export function optionsOrExitCode<T extends object | string>(
  args: readonly string[],
  usage: string,
  read: (args: readonly string[]) => T,
): T | number {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(usage);
    return 0;
  }
  try {
    return read(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    return 2;
  }
}
