// Where a program on Node.js finds its token: the same places as waymark's command line looks at.

interface Node {
  env: Record<string, string | undefined>;
}

/** The token in `WAYMARK_TOKEN`, or in the file that `WAYMARK_TOKEN_FILE` names. */
export async function tokenOfEnvironment(): Promise<string> {
  const { env } = (globalThis as unknown as { process: Node }).process;
  if (env["WAYMARK_TOKEN"] !== undefined) return env["WAYMARK_TOKEN"].trim();
  if (env["WAYMARK_TOKEN_FILE"] !== undefined) return await tokenOfFile(env["WAYMARK_TOKEN_FILE"]);
  throw new TypeError("a token is needed: WAYMARK_TOKEN in the environment, or WAYMARK_TOKEN_FILE for the file that holds it");
}

/** The token in a file. Given to `connect` as `() => tokenOfFile(file)` it is read for each call, so a new secret needs no restart. */
export async function tokenOfFile(file: string): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  return (await readFile(file, "utf8")).trim();
}
