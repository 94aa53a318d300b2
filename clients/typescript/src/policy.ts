// The rules that all clients of waymark share, out of clients/policy.json: what is repeated, how long is waited, what is advised.
import { rules } from "./gen/policy.js";
import type { WaymarkError } from "./errors.js";

/** What a repeat of a call does: nothing, the same state, nothing because of its key, or more. */
type Kind = "read" | "state" | "keyed" | "once";

interface Backoff {
  first_ms: number;
  factor: number;
  longest_ms: number;
}

interface MethodRule {
  kind: Kind;
  deadline: string;
  /** The path of the field that makes a repeat known. */
  key?: string;
}

interface RepeatRule {
  code: string;
  reasons?: string[];
  asked?: boolean;
  kinds: Kind[];
}

interface AdviceRule {
  advice: string;
  reasons: string[];
  codes: string[];
  text: string;
}

interface Rules {
  deadlines_ms: Record<string, number | null>;
  backoff: Backoff & { asked_longest_ms: number };
  watch: Backoff & { silence_ms: number; codes: string[] };
  lost_codes: string[];
  repeats: RepeatRule[];
  advice: AdviceRule[];
  methods: Record<string, MethodRule>;
}

const policy = rules as Rules;

/** Who hears nothing on a watch for so many milliseconds has lost its connection. */
export const SILENCE_MS = policy.watch.silence_ms;

function ruleOf(method: string): MethodRule {
  const rule = policy.methods[method];
  if (!rule) throw new TypeError(`the API has no method ${method}`);
  return rule;
}

/** Milliseconds that a call of a method may take, all attempts and waits included; undefined for as long as it lasts. */
export function deadlineMs(method: string): number | undefined {
  return policy.deadlines_ms[ruleOf(method).deadline] ?? undefined;
}

/** The path of the field of a method's request that makes a repeat known; undefined where there is none. */
export function keyOf(method: string): string | undefined {
  return ruleOf(method).key;
}

/** Whether a code without a reason of waymark's means that the connection, or something on the way, broke. */
export function isLost(codeName: string): boolean {
  return policy.lost_codes.includes(codeName);
}

/** Milliseconds before the next attempt at a call that failed so often; undefined where there is to be none. */
export function waitMs(method: string, error: WaymarkError, failures: number): number | undefined {
  const rule = policy.repeats.find((repeat) => fits(repeat, error));
  const asked = error.retryAfterMs ?? 0;
  if (!rule?.kinds.includes(ruleOf(method).kind) || asked > policy.backoff.asked_longest_ms) return undefined;
  return asked + jitterMs(policy.backoff, failures);
}

/** Whether a watch goes on after an error. */
export function resumes(error: WaymarkError): boolean {
  return policy.watch.codes.includes(error.countedAs);
}

/** Milliseconds before a watch begins its next stream. */
export function watchWaitMs(error: WaymarkError, failures: number): number {
  return (error.retryAfterMs ?? 0) + jitterMs(policy.watch, failures);
}

/** What to do about an error, as a word and as a sentence. */
export function adviceOn(codeName: string, reason: string, lost: boolean): { advice: string; text: string } {
  const rule =
    policy.advice.find((one) => one.reasons.includes(reason)) ??
    policy.advice.find((one) => lost && one.advice === "look") ??
    policy.advice.find((one) => one.codes.includes(codeName));
  return rule ?? { advice: "report", text: "" };
}

function fits(rule: RepeatRule, error: WaymarkError): boolean {
  const isOfReason = !rule.reasons || rule.reasons.includes(error.reason);
  return rule.code === error.countedAs && isOfReason && (!rule.asked || error.retryAfterMs !== undefined);
}

/** Full jitter: anything between nothing and a bound that grows with each failure in a row. */
function jitterMs(backoff: Backoff, failures: number): number {
  return Math.random() * Math.min(backoff.first_ms * backoff.factor ** (failures - 1), backoff.longest_ms);
}
