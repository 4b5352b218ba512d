@echo off
rem Starts the command line of this extension. IOPTE_NODE is the program that runs it: inside VS Code the editor's own.
setlocal
if not defined IOPTE_NODE set "IOPTE_NODE=node"
"%IOPTE_NODE%" "%~dp0..\..\dist\cli.js" %*
