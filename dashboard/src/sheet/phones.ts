// Phones in one cell, `mobile +3545451000 x12; work +3545451001`, and in JSON. The server reads numbers and extensions.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Phone, PhoneKind, type PhoneSchema } from "../gen/waymark/v1/site_pb.js";

export type PhoneInit = MessageInitShape<typeof PhoneSchema>;

/** A phone in a feature's properties. */
export interface PhoneJson {
  number: string;
  type: string;
  extension?: string;
}

const KINDS = new Map([
  ["mobile", PhoneKind.MOBILE],
  ["work", PhoneKind.WORK],
  ["home", PhoneKind.HOME],
  ["other", PhoneKind.OTHER],
]);

/** The kind of a word, in any case; absent for other words. */
export function phoneKind(word: string): PhoneKind | undefined {
  return KINDS.get(word.trim().toLowerCase());
}

/** Phones as a cell holds them. */
export function phonesCell(phones: Phone[]): string {
  return phones
    .map(({ kind, number, extension }) => `${word(kind)} ${number}${extension && ` x${extension}`}`)
    .join("; ");
}

/** A phone as a feature holds it. */
export function phoneJson({ kind, number, extension }: Phone): PhoneJson {
  return { number, type: word(kind), ...(extension && { extension }) };
}

/** The phones that a cell holds. A number without a kind is another's. */
export function phonesIn(cell: string): PhoneInit[] {
  return cell
    .split(";")
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part) => {
      const [, first = "", rest = ""] = /^([^ :]*)[ :](.*)$/s.exec(part) ?? [];
      const kind = phoneKind(first);
      return kind === undefined ? { number: part, kind: PhoneKind.OTHER } : { number: rest.trim(), kind };
    });
}

function word(kind: PhoneKind): string {
  return [...KINDS].find(([, known]) => known === kind)?.[0] ?? "other";
}
