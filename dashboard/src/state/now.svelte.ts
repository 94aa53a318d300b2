// The time as the page tells it: whoever reads it in what is shown is shown anew as it goes on.
import { createSubscriber } from "svelte/reactivity";

/** How often times that are told from now are told anew, in milliseconds. */
const TICK_MS = 30_000;

const subscribe = createSubscriber((update) => {
  const timer = setInterval(update, TICK_MS);
  return () => clearInterval(timer);
});

/** Milliseconds since 1970. */
export function now(): number {
  subscribe();
  return Date.now();
}
