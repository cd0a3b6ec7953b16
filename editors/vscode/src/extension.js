// VS Code's side: starts the server, and runs builds as tasks.
'use strict';

const vscode = require('vscode');
const { LanguageClient } = require('vscode-languageclient/node');
const program = require('./program');

let client;

const settings = () => vscode.workspace.getConfiguration('rbc');

async function start() {
  const run = program.server(settings());
  const options = {
    documentSelector: [
      { language: 'dockerfile', scheme: 'file' },
      { language: 'dockerfile', scheme: 'untitled' },
      { pattern: '**/*docker-bake*.hcl', scheme: 'file' },
    ],
  };
  client = new LanguageClient('rbc', 'rbc', { run, debug: run }, options);
  try {
    await client.start();
  } catch (error) {
    const open = 'Open Settings';
    const message = `The server \`${run.command}\` did not start: ${error.message}. Install rbc, or set rbc.path.`;
    if ((await vscode.window.showErrorMessage(message, open)) === open) {
      await vscode.commands.executeCommand('workbench.action.openSettings', 'rbc.path');
    }
  }
}

async function stop() {
  const running = client;
  client = undefined;
  if (running?.isRunning()) await running.stop();
}

/** Builds what a lens names: a stage of a Dockerfile, or a target of a bake file. */
const runs = (command) => async (uri, target) => {
  uri ??= vscode.window.activeTextEditor?.document.uri.toString();
  if (!uri?.startsWith('file:')) return;
  const document = vscode.workspace.textDocuments.find((open) => open.uri.toString() === vscode.Uri.parse(uri).toString());
  await document?.save();
  const { command: path, args, cwd } = program[command](settings(), uri, target);
  const task = new vscode.Task(
    { type: 'process' },
    vscode.TaskScope.Workspace,
    target === undefined ? command : `${command} ${target}`,
    'rbc',
    new vscode.ProcessExecution(path, args, { cwd }),
  );
  await vscode.tasks.executeTask(task);
};

exports.activate = async (context) => {
  const restart = async () => {
    await stop();
    await start();
  };
  context.subscriptions.push(
    vscode.commands.registerCommand('rbc.build', runs('build')),
    vscode.commands.registerCommand('rbc.bake', runs('bake')),
    vscode.commands.registerCommand('rbc.restart', restart),
    vscode.workspace.onDidChangeConfiguration((change) => change.affectsConfiguration('rbc.path') && restart()),
  );
  await start();
};

exports.deactivate = stop;
