// What of Node.js is used, so that the package needs no types of all of it.
declare module "node:fs/promises" {
  /** The text in a file. */
  export function readFile(file: string, encoding: "utf8"): Promise<string>;
}
