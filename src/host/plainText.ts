/**
 * A text as a message may show it: messages of the editor make links of `[text](command:…)`, and what comes from a file must not become
 * one.
 */
export const plainText = (text: string): string => text.replaceAll('](', '] (');

const MOST_CHARACTERS = 64;

/** A name that came from a file, cut where it is too long for a message. */
export const shortened = (name: string): string =>
  name.length > MOST_CHARACTERS ? `${name.slice(0, MOST_CHARACTERS - 1)}…` : name;

/** A text inside HTML, or inside the quotes of an attribute. */
export const htmlText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
