import { type ErrorCode } from 'yaml';

/** What a text is that YAML 1.2 does not take, and what to do about it. */
export const SYNTAX: Readonly<Partial<Record<ErrorCode, readonly [message: string, hint: string]>>> = {
  ALIAS_PROPS: ['An alias takes neither an anchor nor a tag.', 'Leave the alias alone: *name.'],
  BAD_ALIAS: ['This is no alias.', 'An alias is *name; quote text that begins with a star.'],
  BAD_DIRECTIVE: ['This directive is not known.', 'A scenario needs no directives.'],
  BAD_DQ_ESCAPE: [
    'Text in double quotes has no such escape.',
    'Write a backslash twice, or use single quotes.',
  ],
  BAD_INDENT: ['The indentation fits nothing above it.', 'Indent by two spaces below the key it belongs to.'],
  BAD_PROP_ORDER: ['Anchors and tags stand before the value.', 'Put them behind the colon.'],
  BAD_SCALAR_START: ['A value cannot begin so.', 'Put it into quotes.'],
  BLOCK_AS_IMPLICIT_KEY: [
    'A colon with a space behind it begins a value, and one has begun on this line already.',
    'Put text that has ": " in it into quotes, or a nested value on a line of its own.',
  ],
  BLOCK_IN_FLOW: ['Inside { } and [ ] there are no blocks.', 'Separate values by commas.'],
  IMPOSSIBLE: ['This cannot be read.', 'Look at the line before.'],
  KEY_OVER_1024_CHARS: ['This key is too long.', 'A key has at most 1,024 characters, up to its colon.'],
  MISSING_CHAR: [
    'Something is missing here: a quote, a bracket, a comma or a colon.',
    'Look for what was opened.',
  ],
  MULTILINE_IMPLICIT_KEY: ['A key stands on one line, with its colon.', 'Put a colon behind the key.'],
  MULTIPLE_ANCHORS: ['A value has one anchor.', 'Remove one of them.'],
  MULTIPLE_DOCS: [
    'A file holds one scenario.',
    'Put the second one into a file of its own, or use variants.',
  ],
  MULTIPLE_TAGS: ['A value has one tag.', 'A scenario needs no tags.'],
  TAB_AS_INDENT: ['A tab cannot indent.', 'Indent by spaces.'],
  TAG_RESOLVE_FAILED: [
    'Tags of one’s own are not read.',
    'Remove the tag, or quote text that begins with !.',
  ],
  UNEXPECTED_TOKEN: ['This is not expected here.', 'Put text with special characters into quotes.'],
  BAD_COLLECTION_TYPE: ['The tag is not one of such a value.', 'Remove the tag.'],
};
