// The tests' SMTP server, which is Python's: started beside a server, and what comes to it.
import { spawn } from "node:child_process";
import path from "node:path";
import readline from "node:readline";
import { ROOT } from "./server.mjs";

const PYTHON = path.join(ROOT, ".venv/bin/python");
const MAIL_MS_MAX = 60_000;

/** A mail server that keeps what it takes. */
export class MailServer {
  static async start(dir) {
    const mail = new MailServer();
    mail.mails = [];
    mail.waiting = new Set();
    const script = path.join(ROOT, "tests/e2e/python/mail_server.py");
    mail.process = spawn(PYTHON, [script, dir], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = readline.createInterface({ input: mail.process.stdout });
    mail.config = await new Promise((resolve, reject) => {
      lines.once("line", resolve);
      mail.process.once("exit", (code) => reject(new Error(`the mail server ended with ${code}`)));
    });
    lines.on("line", (line) => {
      mail.mails.push(JSON.parse(line));
      for (const look of mail.waiting) look();
    });
    return mail;
  }

  /** The newest mail to an address once there are `count`. */
  async to(address, count = 1) {
    const found = () => this.mails.filter(({ to }) => to === address);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no mail came to ${address}`)), MAIL_MS_MAX);
      const look = () => {
        if (found().length < count) return;
        clearTimeout(timer);
        this.waiting.delete(look);
        resolve(found().at(-1));
      };
      this.waiting.add(look);
      look();
    });
  }

  /** From now on it is `stop`ped, `start`ed again at the same port, refuses each message with a reply (`refuse 550 no`), or `take`s it. */
  tell(what) {
    this.process.stdin.write(`${what}\n`);
  }

  /** Ends it: it reads its standard input until that ends. */
  async stop() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.stdin.end();
    await ended;
  }
}
