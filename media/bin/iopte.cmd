@echo off
rem Starts the command line of this extension. IOPTE_NODE is the program that runs it: inside VS Code the editor's own,
rem which is Node only when it is told so.
setlocal
if defined IOPTE_NODE (set "ELECTRON_RUN_AS_NODE=1") else (set "IOPTE_NODE=node")
"%IOPTE_NODE%" "%~dp0..\..\dist\cli.js" %*
