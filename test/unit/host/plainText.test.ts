import assert from 'node:assert/strict';
import { htmlText, plainText, shortened } from '../../../src/host/plainText';

/** What the editor's messages take for a link. */
const LINK = /\[([^\]]+)\]\((?:https?:\/\/|command:|file:)[^)\s]+/i;

describe('text of files in what the host shows', () => {
  it('makes no links in messages', () => {
    for (const text of ['[x](command:quit)', 'a [b](https://c.example) [d](file:///e)']) {
      assert.match(text, LINK);
      assert.doesNotMatch(plainText(text), LINK);
    }
    assert.equal(plainText('nic[0]: 12 (of 14)'), 'nic[0]: 12 (of 14)');
  });

  it('is cut where a name is long', () => {
    assert.equal(shortened('a'.repeat(1000)), `${'a'.repeat(63)}…`);
    assert.equal(shortened('0000:00:02.0'), '0000:00:02.0');
  });

  it('is no markup in a page', () => {
    assert.equal(htmlText('<a href="x">&</a>'), '&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;');
  });
});
