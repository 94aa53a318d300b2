// What a page takes of memory: the heaps of its own thread and of its workers, as the browser tells them, and whole processes, as Linux does.
import { readFileSync } from "node:fs";

/** Longest wait for the word of a worker, in milliseconds. */
const WORD_MS_MAX = 5_000;

/**
 * Bytes, behind a collection of garbage: `heap` of JavaScript and `dom` of the browser's own objects, `buffers` outside of them (array
 * buffers, long texts), `workers` heaps and buffers of all workers, `renderer` the whole process that the page and its workers are in, `gpu`
 * the process that draws. Undefined where nobody tells. `devtools` is a session of the page.
 */
export async function memoryOf(browser, devtools) {
  await devtools.send("HeapProfiler.collectGarbage");
  const { usedSize, embedderHeapUsedSize, backingStorageSize } = await devtools.send("Runtime.getHeapUsage");
  const workers = await heapsOfWorkers(devtools).catch(() => undefined);
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  // One page is open: what else renders waits for a page to come.
  const largest = (kind) => {
    const sizes = processInfo.filter(({ type }) => type.toLowerCase() === kind).map(({ id }) => sizeOf(id));
    return sizes.filter((size) => size !== undefined).sort((a, b) => b - a)[0];
  };
  const processes = { renderer: largest("renderer"), gpu: largest("gpu") };
  return { heap: usedSize, dom: embedderHeapUsedSize, buffers: backingStorageSize, workers, ...processes };
}

/** The proportional set size of a process: what is its own, and its part of what it shares. */
function sizeOf(pid) {
  try {
    const [, kib] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
    return kib && Number(kib) * 1_024;
  } catch {
    return undefined;
  }
}

/** Heaps and buffers of the page's workers in all. They have no session of their own, so they are asked through the page's. */
async function heapsOfWorkers(devtools) {
  const sessions = [];
  const asked = new Map();
  const attached = ({ sessionId, targetInfo }) => void (targetInfo.type === "worker" && sessions.push(sessionId));
  const received = ({ message }) => {
    const { id, result, error } = JSON.parse(message);
    const { resolve, reject } = asked.get(id) ?? {};
    if (error) reject?.(new Error(error.message));
    else resolve?.(result);
  };
  const attach = (autoAttach) => devtools.send("Target.setAutoAttach", { autoAttach, waitForDebuggerOnStart: false, flatten: false });
  const ask = (sessionId, method) =>
    new Promise((resolve, reject) => {
      const id = asked.size + 1;
      asked.set(id, { resolve, reject });
      setTimeout(() => reject(new Error(`no word of a worker: ${method}`)), WORD_MS_MAX).unref();
      devtools.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id, method }) }).catch(reject);
    });
  devtools.on("Target.attachedToTarget", attached);
  devtools.on("Target.receivedMessageFromTarget", received);
  try {
    await attach(true);
    let bytes = 0;
    for (const session of sessions) {
      await ask(session, "HeapProfiler.collectGarbage");
      const { usedSize, backingStorageSize } = await ask(session, "Runtime.getHeapUsage");
      bytes += usedSize + backingStorageSize;
    }
    // A page of ours has workers: with none the browser did not tell of them.
    return sessions.length > 0 ? bytes : undefined;
  } finally {
    await attach(false);
    devtools.off("Target.attachedToTarget", attached);
    devtools.off("Target.receivedMessageFromTarget", received);
  }
}
