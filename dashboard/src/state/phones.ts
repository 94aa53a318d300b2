// Phone numbers as a form has them, and which of them the server refused.
import type { Phone, PhoneKind } from "../gen/waymark/v1/site_pb.js";

/** As in the server: most phone numbers of one contact. */
export const PHONES_MAX = 16;

export interface PhoneForm {
  number: string;
  kind: PhoneKind;
  extension: string;
}

/** The phones of a contact, to be edited. */
export function phonesOf(phones: Phone[] = []): PhoneForm[] {
  return phones.map(({ number, kind, extension }) => ({ number, kind, extension }));
}

/** The phones that are something: a line that was added and left empty is none. */
export function filledPhones(phones: PhoneForm[]): PhoneForm[] {
  return phones.filter(({ number, extension }) => number.trim() || extension.trim());
}

/** A phone on one line. */
export function phoneText({ number, extension }: { number: string; extension: string }, extensionWord: string): string {
  return extension ? `${number} ${extensionWord} ${extension}` : number;
}

/** Which phone a message of the server refuses, and why; absent for a message about something else. */
export function refusedPhone(message: string): { index: number; part: string; why: string } | undefined {
  const found = /contact\.phones\[(\d+)\]\.(number|extension): (.+)$/s.exec(message);
  if (!found) return undefined;
  const [, index = "", part = "", why = ""] = found;
  return { index: Number(index), part, why };
}
