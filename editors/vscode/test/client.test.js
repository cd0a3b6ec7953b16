// Drives the server as the extension starts it. RBC names the program; without it, that of the working tree is used.
'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const Module = require('node:module');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const { pathToFileURL } = require('node:url');
const { createProtocolConnection, StreamMessageReader, StreamMessageWriter } = require('vscode-languageserver-protocol/node');

const program = require('../src/program');

const RBC = process.env.RBC || path.join(__dirname, '../../../target/debug/rbc');

/** A server with a directory of its own; what it pushes is collected by document. */
async function session(t, capabilities) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'rbc vscode '));
  const { command, args } = program.server({ path: RBC });
  const server = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const connection = createProtocolConnection(new StreamMessageReader(server.stdout), new StreamMessageWriter(server.stdin));
  const pushed = [];
  const waiting = [];
  connection.onNotification('textDocument/publishDiagnostics', (params) => {
    pushed.push(params);
    waiting.splice(0).forEach((wake) => wake());
  });
  const registered = [];
  connection.onRequest('client/registerCapability', (params) => {
    registered.push(...params.registrations);
    return null;
  });
  connection.listen();
  const initialized = await connection.sendRequest('initialize', {
    processId: process.pid,
    rootUri: pathToFileURL(directory).toString(),
    workspaceFolders: [{ uri: pathToFileURL(directory).toString(), name: 'test' }],
    capabilities,
  });
  await connection.sendNotification('initialized', {});
  t.after(async () => {
    await connection.sendRequest('shutdown');
    const ended = new Promise((resolve) => server.once('exit', resolve));
    await connection.sendNotification('exit');
    assert.strictEqual(await ended, 0);
    connection.dispose();
    fs.rmSync(directory, { recursive: true });
  });
  /** Waits until the last thing pushed fits. */
  const push = async (fits) => {
    while (pushed.length === 0 || !fits(pushed[pushed.length - 1])) await new Promise((resolve) => waiting.push(resolve));
    return pushed[pushed.length - 1].diagnostics;
  };
  const uri = pathToFileURL(path.join(directory, 'Dockerfile')).toString();
  const open = (text) =>
    connection.sendNotification('textDocument/didOpen', {
      textDocument: { uri, languageId: 'dockerfile', version: 1, text },
    });
  const ask = (method, params) =>
    connection.sendRequest(`textDocument/${method}`, { textDocument: { uri }, ...params });
  return { connection, directory, initialized, open, ask, push, registered, uri };
}

const TEXT = 'ARG V=3.20\nFROM alpine:${V} as build\nRUN make\nFROM scratch\nCOPY --from=build /x /x\nEXPOSE 99999\n';
const at = (line, character) => ({ line, character });

test('what is wrong is pushed, follows edits and settings', { timeout: 60000 }, async (t) => {
  const { connection, directory, open, push, registered, uri } = await session(t, {
    workspace: { didChangeWatchedFiles: { dynamicRegistration: true } },
  });
  await open(TEXT);
  const codes = (list) => list.map((diagnostic) => diagnostic.code);
  const first = codes(await push((params) => params.version === 1));
  assert.ok(first.includes('W0102') && first.includes('E0220'), `${first}`);
  await connection.sendNotification('textDocument/didChange', {
    textDocument: { uri, version: 2 },
    contentChanges: [{ range: { start: at(5, 7), end: at(5, 12) }, text: '80' }],
  });
  const second = codes(await push((params) => params.version === 2));
  assert.ok(second.includes('W0102') && !second.includes('E0220'), `${second}`);
  fs.writeFileSync(path.join(directory, 'rbc.toml'), '[lint]\nignore = ["FromAsCasing"]\n');
  const changed = pathToFileURL(path.join(directory, 'rbc.toml')).toString();
  await connection.sendNotification('workspace/didChangeWatchedFiles', { changes: [{ uri: changed, type: 1 }] });
  await push((params) => !codes(params.diagnostics).includes('W0102'));
  assert.strictEqual(registered[0].method, 'workspace/didChangeWatchedFiles');
});

test('what is wrong is pulled, and requests are answered', { timeout: 60000 }, async (t) => {
  const { initialized, open, ask, uri } = await session(t, {
    textDocument: { diagnostic: {}, completion: { completionItem: { snippetSupport: true } } },
  });
  assert.strictEqual(initialized.serverInfo.name, 'rbc');
  await open(TEXT);
  const { items } = await ask('diagnostic');
  assert.ok(items.some((diagnostic) => diagnostic.code === 'E0220'));
  const range = { start: at(0, 0), end: at(6, 0) };
  const actions = await ask('codeAction', { range, context: { diagnostics: [] } });
  assert.ok(actions.some((action) => action.edit.changes[uri].some((edit) => edit.newText === 'AS')));
  assert.strictEqual((await ask('hover', { position: at(1, 15) })).contents.value, '3.20');
  const completions = await ask('completion', { position: at(2, 0) });
  assert.ok(completions.some((item) => item.label === 'RUN command'));
  assert.strictEqual((await ask('definition', { position: at(4, 14) })).range.start.line, 1);
  assert.strictEqual((await ask('references', { position: at(1, 25), context: { includeDeclaration: true } })).length, 2);
  const renamed = await ask('rename', { position: at(1, 25), newName: 'made' });
  assert.strictEqual(renamed.changes[uri].length, 2);
  assert.strictEqual((await ask('documentSymbol')).length, 3);
  assert.strictEqual((await ask('inlayHint', { range }))[0].label, '= 3.20');
  assert.ok(Array.isArray(await ask('formatting', { options: { tabSize: 2, insertSpaces: true } })));
  const [lens] = await ask('codeLens');
  const built = program.build({ path: 'rbc', build: { arguments: ['--pull'] } }, ...lens.command.arguments);
  assert.deepStrictEqual(built.args.slice(3), ['--target', 'build', '--pull', built.cwd]);
});

test('targets of bake files are built in their directory', () => {
  const { args, cwd } = program.bake({ bake: { arguments: ['--load'] } }, 'file:///a%20b/docker-bake.hcl', 'app');
  assert.deepStrictEqual(args, ['bake', '--file', '/a b/docker-bake.hcl', '--load', 'app']);
  assert.strictEqual(cwd, '/a b');
});

test('the bundle is an extension', () => {
  // Anything that the editor could give.
  const anything = new Proxy(class {}, { get: (target, key) => (key === 'prototype' ? target.prototype : anything) });
  const load = Module._load;
  Module._load = (name, ...rest) => (name === 'vscode' ? anything : load(name, ...rest));
  try {
    const extension = require('../dist/extension.js');
    assert.deepStrictEqual(Object.keys(extension).sort(), ['activate', 'deactivate']);
  } finally {
    Module._load = load;
  }
});
