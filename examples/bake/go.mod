module registry.example/greet

go 1.24
