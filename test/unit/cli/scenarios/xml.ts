/** Reads XML strictly: what is not well-formed throws. Elements, attributes and text, which is all that JUnit XML has. */
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly elements: readonly XmlElement[];
  readonly text: string;
}

const REFERENCES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

export function parseXml(document: string): XmlElement {
  // Characters of XML 1.0, section 2.2.
  if (/[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u.test(document)) {
    throw new Error('a character that XML does not have');
  }
  const declaration = /^<\?xml version="1\.0" encoding="UTF-8"\?>\s*/.exec(document);
  if (!declaration) throw new Error('no declaration');
  const { element, end } = readElement(document, declaration[0].length);
  if (document.slice(end).trim() !== '') throw new Error(`more behind the root: ${document.slice(end)}`);
  return element;
}

const NAME = '[A-Za-z_][\\w.-]*';

function readElement(text: string, start: number): { element: XmlElement; end: number } {
  const open = new RegExp(`<(${NAME})((?:\\s+${NAME}="[^"<]*")*)\\s*(/?)>`, 'y');
  open.lastIndex = start;
  const found = open.exec(text);
  if (!found) throw new Error(`no element at ${text.slice(start, start + 60)}`);
  const [whole, name = '', written = '', empty] = found;
  const attributes: Record<string, string> = {};
  for (const [, key = '', value = ''] of written.matchAll(new RegExp(`(${NAME})="([^"]*)"`, 'g'))) {
    if (key in attributes) throw new Error(`${key} twice`);
    attributes[key] = unescape(value);
  }
  let at = start + whole.length;
  if (empty === '/') return { element: { name, attributes, elements: [], text: '' }, end: at };
  const elements: XmlElement[] = [];
  let inside = '';
  for (;;) {
    const next = text.indexOf('<', at);
    if (next === -1) throw new Error(`${name} does not end`);
    inside += unescape(text.slice(at, next));
    if (text.startsWith('</', next)) {
      const close = `</${name}>`;
      if (!text.startsWith(close, next)) throw new Error(`${name} ends as ${text.slice(next, next + 40)}`);
      return { element: { name, attributes, elements, text: inside }, end: next + close.length };
    }
    const child = readElement(text, next);
    elements.push(child.element);
    at = child.end;
  }
}

function unescape(text: string): string {
  return text.replaceAll(/&(#\d+|\w*)(;?)/g, (_, reference: string, end: string) => {
    const character = reference.startsWith('#')
      ? String.fromCodePoint(Number(reference.slice(1)))
      : REFERENCES[reference];
    if (character === undefined || end === '') throw new Error(`&${reference} is no reference`);
    return character;
  });
}
